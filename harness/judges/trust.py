"""Why a gate must not go by a judge's word: its calibration and self-test against its spec."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.collect.judge_spec import JudgeSpec
from harness.judges.calibrate import Calibrated, binding, load_calibration
from harness.judges.canaries import SelfTest, load_selftest


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a judge exactly as it judges now; None where nothing was measured."""

    calibration: Calibrated | None
    selftest: SelfTest | None

    def refusals(self, spec: JudgeSpec, now: datetime | None = None) -> tuple[str, ...]:
        """Why a gate must refuse this judge, a line each; none if it may believe it.

        The self-test must have been passed, at a ceiling no higher than the spec's of today. A
        calibration is asked for if the spec names a `min_kappa` or a `max_age_days`; then it must
        be there, good enough and young enough.
        """
        found = []
        if self.selftest is None:
            found.append(f"no self-test: harness judge selftest {spec.judge}")
        elif not self.selftest.passed:
            found.append(f"failed its self-test: {self.selftest.failures[0]}")
        elif self.selftest.ceiling > spec.limits.canary_ceiling:
            now_is = f"{spec.limits.canary_ceiling:g} is the most by now"
            again = f"harness judge selftest {spec.judge}"
            found.append(f"self-test allowed canaries {self.selftest.ceiling:g}, {now_is}: {again}")
        asked = spec.calibration
        if asked.min_kappa is None and asked.max_age_days is None:
            return tuple(found)
        if self.calibration is None:
            return (*found, f"not calibrated: harness judge calibrate {spec.judge} LABELS")
        if asked.min_kappa is not None:
            kappa = self.calibration.kappa
            if kappa is None or kappa < asked.min_kappa:
                shown = "unknown" if kappa is None else f"{kappa:.2f}"
                found.append(f"kappa with people is {shown}, {asked.min_kappa:g} is needed")
        days = ((now or datetime.now(UTC)) - self.calibration.created).days
        if asked.max_age_days is not None and days > asked.max_age_days:
            found.append(f"calibrated {days} days ago, at most {asked.max_age_days} are allowed")
        return tuple(found)


def load_trust(
    spec: JudgeSpec, template_hash: str, fingerprint: str, project: Path | None = None
) -> Trust:
    """What was measured of a judge with this template and these weights.

    Raises StoreError if a file cannot be read.
    """
    key = binding(spec, template_hash, fingerprint)
    return Trust(
        load_calibration(spec, template_hash, fingerprint, project),
        load_selftest(spec, key, project),
    )
