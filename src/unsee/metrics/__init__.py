"""Pure functions from records to numbers: no model, no tensor library, no files.

`answers` scores one answer, `choices` a multiple choice, `interval` puts a mean and its interval over people around
many. `tofu`, `truth`, `forget_quality` and `memorisation` hold what unlearning benchmarks report, `hallucination`,
`amber`, `pope` and `text` what captioning and yes/no questions report.
"""
