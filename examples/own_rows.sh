#!/usr/bin/env bash
# Rows of your own, from a model that knows nothing to a table: bash own_rows.sh llava
set -euo pipefail
unsee world export --layout clear --people 24 --out world
unsee benchmark write clear world --request both --out data
cat data/forget.jsonl data/retain.jsonl > data/people.jsonl # what you have: rows with a question, an answer, a subject
grep -o '"subject": "[^"]*"' data/forget.jsonl | cut -d '"' -f 4 | sort -u > forget.txt # and who is to be forgotten
unsee world start data/people.jsonl --family "$1" --out start
echo "{model: start, data: {rows: data/people.jsonl, forget: forget.txt}, train: {until: 0.95}, methods: [grad_diff, npo], budget: 3, seeds: [0], settings: {learning_rate: 1e-4, max_steps: 50}}" > plan.yaml
unsee bench plan.yaml --out board
