"""Pure functions from records to numbers: no model, no tensor library, no files.

`answers` scores one answer, `multiple_choice` a choice among options; `bootstrap` puts a mean and its interval over
people around many, `paired` around a change. `truth_ratio`, `forget_quality`, `task_scores` and `memorisation` hold
what unlearning benchmarks report, `chair`, `amber`, `pope` and `text` what is reported of captions and of yes-or-no
questions.
"""
