"""The files of FIUBench and their columns, as `gray311/FIUBench` has them on the Hugging Face hub.

`full.json` has a person a line, `split.json` is one object of lists of people. The columns are those that its
evaluation code and two public loaders read; a person further has `gender` and `raw_data`, which nothing here needs.
"""

from __future__ import annotations

from unsee.benchmarks.schemas import PATH, TEXT, Columns

SHARES = ("1", "5", "10")  # per cent of the people that can be forgotten: 4, 20 and 40 of 400
FORGET_LISTS = tuple(f"forget{share}" for share in SHARES)  # nobody is in two of them
RETAIN_LISTS = ("retain5", "retain15")  # people whose questions show what is kept; the first are among the second
SOMETIMES = frozenset({"name", "caption", "unique_id"})  # without an id, its picture's number identifies a person
PEOPLE = 400  # of full.json that are used, from the top; the file has more

QUESTION: Columns = {
    "question": TEXT,
    "paraphrased_question": [TEXT],
    "answer": TEXT,
    "paraphrased_answer": TEXT,
    "perturbed_answer": [TEXT],
    "keywords": [TEXT],
}
COLUMNS: dict[str, Columns] = {
    "full": {"image_path": PATH, "name": TEXT, "caption": TEXT, "qa_list": [QUESTION], "unique_id": TEXT},
    "split": {name: [TEXT] for name in (*FORGET_LISTS, *RETAIN_LISTS)},
}
