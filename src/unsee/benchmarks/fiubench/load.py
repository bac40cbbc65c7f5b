"""FIUBench (Ma et al. 2024, arXiv 2411.03554): a face and private facts, which only the face leads to.

A person is one line of `full.json` with one photograph and about twenty questions, each with three other wordings, an
answer in other words, wrong answers, and the words that give the answer away. `split.json` says who is forgotten and
whose questions show what is kept. As the evaluation code has it, the first 400 people are used, and whoever is in
*any* forget list is no retain row. Base knows them all, so that one base serves every split. Gold knows all but those
of its split: the published one goes without the people of all three lists, which no number here compares.

There is no second photograph of anybody and nothing in words alone, so the request is visual, `forget_vqa` and
`retain_vqa` measure on training rows, as the published evaluation does, and are marked so; the other wordings are held
out. Texts are taken as they stand, where the evaluation code makes right answers lower case and wrong ones not.

Read from the evaluation code, its `split.json` and public loaders, not from the rows, which could not be fetched. So
it is not known how many questions each person has, and which retain list belongs to `forget1` and `forget10`
(`retain5` goes with `forget5`, and is taken for all). The 7,971, 805, 7,166 and 200 rows that its README counts are
those of an earlier release about objects; this one has no set of real faces.
"""

from __future__ import annotations

from unsee.benchmarks.fiubench.columns import FORGET_LISTS, RETAIN_LISTS
from unsee.benchmarks.fiubench.people import lists, local, people
from unsee.benchmarks.sets import assembled
from unsee.benchmarks.source import Source
from unsee.benchmarks.spec import Selection
from unsee.data.example import Benchmark
from unsee.errors import InputError

MEASURED = RETAIN_LISTS[0]
RETAIN_WORDINGS = 1  # of three, for each question about a retained person: there are as many as forgotten ones


def load_fiubench(source: Source, selection: Selection) -> Benchmark:
    """FIUBench from the hub (`gray311/FIUBench`) or from a folder with its files; faces may stay in `SFHQ.zip`.

    Returns:
        Probes `forget_vqa` and `retain_vqa` (training rows, marked so), `forget_otherwise_vqa` with every other
        wording of each question and `retain_otherwise_vqa` with one.

    Raises:
        InputError: a file, list, column or row is not as published, or nobody of a list is there.
    """
    folder, split = local(source), selection.split
    listed = lists(folder, (split, MEASURED))
    everybody = people(folder)
    left_out = {number for name in (split, *FORGET_LISTS) for number in listed.get(name, ())}
    forgotten = [person for person in everybody if person.number in listed[split]]
    retained = [person for person in everybody if person.number not in left_out]
    measured = [person for person in retained if person.number in listed[MEASURED]]
    for name, there in ((split, forgotten), (MEASURED, measured)):
        if not there:
            raise InputError(f"{folder}: nobody of {name} is in full.json; take both files from the same place")
    rows = {
        "forget_vqa": [row for person in forgotten for row in person.asked()],
        "forget_otherwise_vqa": [row for person in forgotten for row in person.asked_otherwise()],
        "retain_vqa": [row for person in measured for row in person.asked()],
        "retain_otherwise_vqa": [row for person in measured for row in person.asked_otherwise(RETAIN_WORDINGS)],
    }
    of_other_lists = [person for person in everybody if person.number in left_out.difference(listed[split])]
    kept, learned = ([row for person in some for row in person.asked()] for some in (retained, of_other_lists))
    training = Benchmark(f"FIUBench {split}", rows["forget_vqa"], kept, request=selection.request, learned=learned)
    return assembled(training, rows, selection.probe_rows)
