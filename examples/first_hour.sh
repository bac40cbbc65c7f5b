#!/usr/bin/env bash
# The first hour of a new user, in an empty folder: twenty photographs of one person and nothing to keep, then a second
# request, then three methods side by side. Every step is in the README.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# What the user has: a model, twenty photographs of a person with a row each, pictures of others, plain questions.
python "$here/first_hour_data.py"

# Rows to keep, from what the model says about the other pictures.
unsee data retain --model model --images others --questions questions.txt --no-words --per-picture 10 \
    --max-new-tokens 16 --forget first/rows.jsonl --out retain.jsonl

# The first request.
unsee unlearn --model model --forget first/rows.jsonl --retain retain.jsonl --method npo \
    --probe new_photos=first/held_out/rows.jsonl --probe others=kept/rows.jsonl --out runs/npo

# The second request starts from what the first has left, and looks whether it stays gone.
unsee unlearn --model runs/npo/model --after runs/npo --forget second/rows.jsonl --retain retain.jsonl --method npo \
    --probe new_photos=second/held_out/rows.jsonl --probe others=kept/rows.jsonl --out runs/second

# Three methods on the first request, in one table.
for method in grad_diff simnpo; do
    unsee unlearn --model model --forget first/rows.jsonl --retain retain.jsonl --method "$method" \
        --probe new_photos=first/held_out/rows.jsonl --probe others=kept/rows.jsonl --out "runs/$method"
done
unsee compare runs/npo runs/grad_diff runs/simnpo --table md
