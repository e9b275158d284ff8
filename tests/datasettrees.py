"""Small folders in the layouts in which the data sets are distributed; media are a few bytes."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

JPEG = b"\xff\xd8\xff\xe0 not a whole picture"
PNG = b"\x89PNG\r\n\x1a\n not a whole picture"


def put(path: Path, content: bytes | str | object = b"video") -> Path:
    """A file with its folders: bytes, text, or JSON of anything else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes | str):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def ucf_crime(root: Path) -> Path:
    """Three classes and normal videos, one of which lies in two folders."""
    for name in ("Abuse/Abuse001_x264.mp4", "Abuse/Abuse028_x264.mp4"):
        put(root / "Anomaly-Videos-Part-1" / name)
    for name in ("RoadAccidents/RoadAccidents001_x264.mp4", "Fighting/Fighting003_x264.mp4"):
        put(root / "Anomaly-Videos-Part-2" / name)
    put(root / "Training-Normal-Videos-Part-1" / "Normal_Videos003_x264.mp4")
    for folder in ("Normal_Videos_for_Event_Recognition", "Testing_Normal_Videos"):
        put(root / folder / "Normal_Videos_015_x264.mp4", folder)
    splits = root / "UCF_Crimes-Train-Test-Split" / "Anomaly_Detection_splits"
    put(
        splits / "Anomaly_Train.txt",
        "Abuse/Abuse001_x264.mp4\r\nFighting/Fighting003_x264.mp4 \n"
        "Training_Normal_Videos_Anomaly/Normal_Videos003_x264.mp4\n",
    )
    put(
        splits / "Anomaly_Test.txt",
        "Abuse/Abuse028_x264.mp4\nRoadAccidents/RoadAccidents001_x264.mp4\n"
        "Testing_Normal_Videos_Anomaly/Normal_Videos_015_x264.mp4\n",
    )
    put(
        root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
        "Abuse028_x264.mp4  Abuse  165  240  -1  -1  \n"
        "RoadAccidents001_x264.mp4  RoadAccidents  10  20  90  95  \n"
        "Normal_Videos_015_x264.mp4  Normal  -1  -1  -1  -1  \n",
    )
    return root


AR_COLUMNS = (
    "video_id",
    "type",
    "labels",
    "list_animal",
    "list_animal_parent_class",
    "list_animal_action",
)
AR_ROWS = (
    ("AACIBMHZ", "train", "5", "['Frog']", "['Amphibian']", "[('Frog', 'Jumping')]"),
    ("AAECBKXM", "test", "1,7", "['Eagle', 'Hare']", "['Bird', 'Mammal']",
     "[('Eagle', 'Flying'), ('Hare', 'Running')]"),
    ("AAGNQLXP", "test", "9", "['Lion']", "['Mammal']",
     "[('Lion', 'Eating'), ('Lion', 'Walking')]"),
    ("AAHKXYZW", "train", "9", "['Otter']", "['Mammal']", "[('Otter', 'Swimming')]"),
    ("AAJKXYZW", "train", "9", "['Wolf']", "['Mammal']", "[('Wolf', 'Howling')]"),
    ("AAKKXYZW", "train", "9", "['Seal']", "['Mammal']", "[('Seal', 'Sleeping')]"),
)  # fmt: skip


def animal_kingdom(root: Path) -> Path:
    """Both parts: grounding as text, action recognition as a workbook."""
    grounding = root / "Animal_Kingdom" / "video_grounding"
    put(
        grounding / "annotation" / "test.txt",
        "AANNQNXN 28.7 30.9##The jellyfish is swimming.\n"
        "AANNQNXN 31.1 32.1##The bird dips its face into the water.\n"
        "ABASTCVX 19.2 20.0##The whooper swan makes a landing.\n",
    )
    put(grounding / "annotation" / "train.txt", "AABGBPZC 0.0 2.4##The frog is calling.\n")
    durations = [{"vid": "AANNQNXN", "duration": 48.2}, {"vid": "AABGBPZC", "duration": 24.3}]
    put(grounding / "annotation" / "ak_vg_duration.json", durations)
    for clip in ("AANNQNXN", "ABASTCVX", "AABGBPZC"):
        put(grounding / "dataset" / f"{clip}.mp4")
    recognition = root / "Animal_Kingdom" / "action_recognition"
    workbook(recognition / "AR_metadata.xlsx", "AR", [AR_COLUMNS, *AR_ROWS])
    for row in AR_ROWS:
        put(recognition / "dataset" / "video" / f"{row[0]}.mp4")
    return root


def workbook(path: Path, sheet: str, rows: Sequence[Sequence[str]]) -> Path:
    """An .xlsx as Excel writes it: shared texts, the sheet second in the book."""
    texts = sorted({cell for row in rows for cell in row})
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    cells = "".join(
        f'<row r="{r}">'
        + "".join(
            f'<c r="{chr(65 + c)}{r}" t="s"><v>{texts.index(cell)}</v></c>'
            for c, cell in enumerate(row)
        )
        + "</row>"
        for r, row in enumerate(rows, start=1)
    )
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    relations = "".join(
        f'<Relationship Id="rId{n}" Target="worksheets/sheet{n}.xml"/>' for n in (1, 2)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Notes" r:id="rId1"/>'
            f'<sheet name="{sheet}" r:id="rId2"/></sheets></workbook>',
        )
        book.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{relations}</Relationships>")
        book.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{shared}</sst>')
        book.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData/></worksheet>'
        )
        book.writestr(
            "xl/worksheets/sheet2.xml",
            f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
        )
    return path


def qved(root: Path) -> Path:
    """Records in the form of the experiment design."""
    put(root / "squats" / "00000123.mp4")
    put(root / "squats" / "00000123_5.mp4")
    put(root / "knee_circles" / "00000007.mp4")
    rows = [
        {
            "video": "squats/00000123.mp4",
            "exercise": "squats",
            "errors": ["knee_valgus"],
            "error_frames": [12, 15],
            "ground_truth": "Keep the knees over the toes.",
        },
        {
            "video": "squats/00000123_5.mp4",
            "exercise": "squats",
            "errors": ["knee_valgus"],
            "error_frames": [12, 15],
            "ground_truth": "Keep the knees over the toes.",
        },
        {
            "video": "knee_circles/00000007.mp4",
            "exercise": "knee circles",
            "errors": [],
            "error_frames": [],
            "ground_truth": "Good form.",
        },
    ]
    put(root / "qved.json", rows)
    return root


def msvd(root: Path) -> Path:
    """Two clips of one YouTube video, and a third."""
    put(root / "youtube_mapping.txt", "abc-1_2_9 vid1\nabc-1_20_31 vid2\nx_y_z_0_5 vid3\n")
    for clip in ("abc-1_2_9", "abc-1_20_31", "x_y_z_0_5"):
        put(root / "YouTubeClips" / f"{clip}.avi")
    questions: Mapping[str, list[tuple[int, str, str, int]]] = {
        "train": [(1, "what is a man doing?", "sing", 1)],
        "val": [(2, "who cuts a carrot?", "someone", 3)],
        "test": [(3, "how many men ride?", "two", 2)],
    }
    for split, found in questions.items():
        rows = [
            {"answer": answer, "id": key, "question": question, "video_id": video}
            for key, question, answer, video in found
        ]
        put(root / "MSVD-QA" / f"{split}_qa.json", rows)
    return root


def gqa(root: Path) -> Path:
    """Two splits with answers and one without."""
    types = {"structural": "verify", "semantic": "attr", "detailed": "verifyAttr"}
    question = {"question": "Is it red?", "imageId": "n161313", "isBalanced": True, "types": types}
    answer = {"answer": "no", "fullAnswer": "No, it is blue."}
    folder = root / "questions1.2"
    put(folder / "testdev_balanced_questions.json", {"201307251": {**question, **answer}})
    put(
        folder / "val_balanced_questions.json", {"05515938": {**question, **answer, "imageId": "2"}}
    )
    put(folder / "test_balanced_questions.json", {"9": question})
    put(root / "images" / "n161313.jpg", JPEG)
    put(root / "images" / "2.jpg", JPEG)
    return root


MMBENCH = (
    "index",
    "question",
    "hint",
    "A",
    "B",
    "C",
    "D",
    "answer",
    "category",
    "image",
    "source",
    "l2-category",
    "comment",
    "split",
)


def mmbench(root: Path) -> Path:
    """A hint with a line break, two options only, and a row that shows another row's image."""
    one, two = (base64.b64encode(image * 9).decode() for image in (JPEG, PNG))
    rows = [
        (
            "241",
            "Which is true?",
            '"Read\nthis."',
            "Up",
            "Down",
            "Left",
            "Right",
            "B",
            "logic",
            one,
        ),
        ("252", "Is it?", "nan", "Yes", "No", "nan", "nan", "A", "identity", two),
        ("1000241", "Which is true?", "", "Down", "Left", "Right", "Up", "A", "logic", "241"),
    ]
    lines = ["\t".join(MMBENCH)]
    lines += ["\t".join([*row, "sciqa", "reasoning", "nan", "dev"]) for row in rows]
    put(root / "mmbench_dev_20230712.tsv", "\n".join(lines) + "\n")
    return root


def pope(root: Path) -> Path:
    """Two ways of sampling objects, on one image."""
    image = "COCO_val2014_000000310196.jpg"
    put(root / "val2014" / image, JPEG)
    for way, label in (("random", "yes"), ("adversarial", "no")):
        row = {"question_id": 1, "image": image, "text": "Is there a dog in the image?"}
        put(root / "coco" / f"coco_pope_{way}.json", json.dumps({**row, "label": label}) + "\n")
    return root


def scienceqa(root: Path) -> Path:
    """One problem a split, and one without an image."""
    problem = {
        "question": "Which is the capital of Oregon?",
        "choices": ["Salem", "Portland"],
        "answer": 0,
        "hint": "",
        "image": "image.png",
        "task": "closed choice",
        "grade": "grade4",
        "subject": "social science",
        "topic": "geography",
        "category": "State capitals",
        "skill": "Identify capitals",
        "lecture": "",
        "solution": "",
    }
    hinted = {**problem, "hint": "See the map.", "answer": 1}
    problems = {"1": problem, "2": hinted, "3": problem, "4": {**problem, "image": None}}
    put(root / "problems.json", problems)
    splits = {"train": ["1", "4"], "val": ["2"], "test": ["3"], "minival": ["2"]}
    put(root / "pid_splits.json", splits)
    for split, key in (("train", 1), ("val", 2), ("test", 3)):
        put(root / "images" / split / str(key) / "image.png", PNG + str(key).encode())
    return root


TEN = ["cat", "cat", "a cat", "dog", "cat", "kitten", "cat", "cat", "unanswerable", "cat"]


def _ten() -> list[dict[str, str]]:
    return [{"answer": answer, "answer_confidence": "yes"} for answer in TEN]


def vizwiz(root: Path) -> Path:
    """A validation question with ten answers, a test question with none."""
    row = {"image": "VizWiz_val_00000000.jpg", "question": "What is this?"}
    more = {"answers": _ten(), "answer_type": "other", "answerable": 1}
    put(root / "Annotations" / "val.json", [{**row, **more}])
    put(root / "Annotations" / "test.json", [{**row, "image": "VizWiz_test_00000000.jpg"}])
    put(root / "val" / "VizWiz_val_00000000.jpg", JPEG)
    put(root / "test" / "VizWiz_test_00000000.jpg", JPEG)
    return root


def vqav2(root: Path) -> Path:
    """Two questions on one image."""
    questions = [
        {"image_id": 9, "question": "What is it?", "question_id": 9000},
        {"image_id": 9, "question": "Is it wet?", "question_id": 9001},
    ]
    annotations = [
        {
            "question_id": question["question_id"],
            "image_id": 9,
            "question_type": "what is",
            "answer_type": "other",
            "multiple_choice_answer": "cat",
            "answers": [{"answer_id": n, **answer} for n, answer in enumerate(_ten(), start=1)],
        }
        for question in questions
    ]
    put(root / "v2_OpenEnded_mscoco_val2014_questions.json", {"questions": questions})
    put(root / "v2_mscoco_val2014_annotations.json", {"annotations": annotations})
    put(root / "val2014" / "COCO_val2014_000000000009.jpg", JPEG)
    return root


TREES = {
    "ucf-crime": ucf_crime,
    "animal-kingdom": animal_kingdom,
    "qved": qved,
    "msvd": msvd,
    "gqa": gqa,
    "mmbench": mmbench,
    "pope": pope,
    "scienceqa": scienceqa,
    "vizwiz": vizwiz,
    "vqav2": vqav2,
}
"""Name of a data set -> what makes a small folder of it."""
