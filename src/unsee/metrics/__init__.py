"""Pure functions from records to numbers: no model, no tensor library, no files.

`answers` scores one answer, `interval` puts a mean and its interval over people around many. `tofu`, `truth`,
`forget_quality`, `memorisation` and `membership` hold what the unlearning benchmarks report; `hallucination`, `pope`
and `text` what captioning and yes/no questions report.
"""
