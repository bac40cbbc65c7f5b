#!/usr/bin/env bash
# A benchmark from a model that knows nothing to a table and a page: bash benchmark.sh clear forget10 llava --parts projector,language
set -euo pipefail
unsee world export --layout "$1" --people 24 --out world
unsee world start world --family "$3" --out start
for role in base gold; do unsee train --model start --benchmark "$1" --source world --split "$2" --role $role --learn-probes --until 0.95 --set until.every=100 --out $role "${@:4}"; done
echo "{base: base/model, gold: gold/model, benchmark: {name: $1, source: world, split: $2}, methods: [grad_diff, npo], budget: 3, seeds: [0], settings: {learning_rate: 1e-4, max_steps: 50}}" > plan.yaml
unsee bench plan.yaml --out board
unsee benchmark write "$1" world --split "$2" --out data
unsee unlearn data/data.yaml --model base/model --gold gold/model --method npo --set learning_rate=1e-4 --set max_steps=50 --out run
