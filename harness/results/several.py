"""Several models on the same samples: is any of them different from the others?

One test for all, to be looked at before the pairs are. Degenerate data (models that never differ,
one sample) give p = 1, never nan.

Sources: Cochran 1950 (Biometrika 37:256); Fisher 1925 (Statistical Methods for Research Workers,
ch. 7, analysis of variance); Greenhouse & Geisser 1959 (Psychometrika 24:95) and Box 1954 (Ann.
Math. Stat. 25:484) for differences between models that do not vary alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Omnibus:
    """A test of "all k models are equal" over n samples.

    ``df`` is (k - 1,) for a chi-square statistic, (between, within) for F; after Greenhouse and
    Geisser they are not whole numbers.
    """

    statistic: float
    df: tuple[float, ...]
    p: float
    method: str
    n: int
    k: int


def cochran_q(matrix: Floats) -> Omnibus:
    """Cochran's Q of 0/1 scores, (samples, models); chi-square with k - 1 degrees of freedom.

    With two models it is McNemar's test without correction. By statsmodels. Raises ValueError
    for other values or fewer than two models.
    """
    import numpy as np

    matrix = _checked(matrix)
    n, k = matrix.shape
    if not ((matrix == 0) | (matrix == 1)).all():
        raise ValueError("Cochran's Q is for scores of 0 and 1")
    df = (float(k - 1),)
    if np.all(matrix == matrix[:, :1]):  # no sample on which two models differ
        return Omnibus(0.0, df, 1.0, "cochran q, degenerate: no differences", n, k)
    from statsmodels.stats.contingency_tables import cochrans_q

    found = cochrans_q(matrix)
    return Omnibus(float(found.statistic), df, float(found.pvalue), "cochran q", n, k)


def repeated_anova(matrix: Floats) -> Omnibus:
    """One-way analysis of variance with repeated measures, (samples, models).

    p and df are Greenhouse and Geisser's: their epsilon, (sum of eigenvalues)^2 / ((k - 1) sum of
    squared eigenvalues) of the double-centred covariance of the models, shrinks both df where
    some models differ more wildly than others. With two models it is the paired t test, F = t^2.
    """
    import numpy as np
    from scipy.special import fdtrc

    matrix = _checked(matrix)
    n, k = matrix.shape
    if n < 2:
        return Omnibus(
            0.0, (float(k - 1), 0.0), 1.0, "repeated anova, degenerate: one sample", n, k
        )
    means = matrix.mean(axis=0)
    rest = matrix - matrix.mean(axis=1, keepdims=True) - means + matrix.mean()
    between = n * float(((means - matrix.mean()) ** 2).sum())
    within = float((rest**2).sum())
    df1, df2 = float(k - 1), float((k - 1) * (n - 1))
    if within <= 1e-24 * max(1.0, float((matrix**2).sum())):
        return Omnibus(0.0, (df1, df2), 1.0, "repeated anova, degenerate: no spread", n, k)
    spread = rest.T @ rest  # double-centred covariance, up to a factor that cancels
    epsilon = float(np.trace(spread)) ** 2 / (df1 * float((spread**2).sum()))
    epsilon = min(1.0, max(1 / df1, epsilon))
    statistic = (between / df1) / (within / df2)
    p = float(fdtrc(epsilon * df1, epsilon * df2, statistic))
    method = f"repeated anova, greenhouse-geisser epsilon {epsilon:.3f}"
    return Omnibus(statistic, (epsilon * df1, epsilon * df2), p, method, n, k)


def one_way_anova(groups: Sequence[Floats]) -> Omnibus:
    """One-way analysis of variance of models that had different samples. By scipy.

    Raises ValueError for fewer than two groups, an empty one, or a value that is not finite.
    """
    import numpy as np

    arrays = [np.asarray(group, dtype=np.float64) for group in groups]
    n, k = sum(len(one) for one in arrays), len(arrays)
    if k < 2 or min((len(one) for one in arrays), default=0) == 0:
        raise ValueError("an analysis of variance needs two models with samples")
    if not all(np.isfinite(one).all() for one in arrays):
        raise ValueError("a score is not finite")
    df = (float(k - 1), float(n - k))
    within = sum(float(((one - one.mean()) ** 2).sum()) for one in arrays)
    if n <= k or within <= 1e-24 * max(1.0, sum(float((one**2).sum()) for one in arrays)):
        return Omnibus(0.0, df, 1.0, "one-way anova, degenerate: no spread within models", n, k)
    from scipy.stats import f_oneway

    found = f_oneway(*arrays)
    statistic, p = float(found.statistic), float(found.pvalue)
    if not statistic > 0:  # equal means, of which rounding makes a hair less than nothing
        statistic, p = 0.0, 1.0
    return Omnibus(statistic, df, p, "one-way anova", n, k)


def _checked(matrix: Floats) -> Floats:
    import numpy as np

    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise ValueError(f"needs (samples, models) with two models, not {matrix.shape}")
    if matrix.shape[0] == 0:
        raise ValueError("no samples")
    if not np.isfinite(matrix).all():
        raise ValueError("a score is not finite")
    return matrix
