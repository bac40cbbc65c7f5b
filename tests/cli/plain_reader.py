"""Reads unlearned models as anybody would, with transformers and peft alone, and says what they say.

Run by `test_stranger.py` in a Python of its own, so that nothing of ours can help.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor


def main() -> None:
    data, folders = Path(sys.argv[1]), sys.argv[2:]
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    found = {folder: read(Path(folder), rows, data.parent) for folder in folders}
    assert not any(name.split(".")[0] == "unsee" for name in sys.modules)
    print(json.dumps(found))


@torch.no_grad()
def read(folder: Path, rows: list[dict[str, Any]], pictures: Path) -> list[dict[str, Any]]:
    """The greedy answer to each row, and the log-likelihood of the expected one."""
    adapter = folder / "adapter_config.json"
    base = json.loads(adapter.read_text())["base_model_name_or_path"] if adapter.is_file() else folder
    model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32).eval()
    if adapter.is_file():
        model = PeftModel.from_pretrained(model, folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    return [answer(model, processor, row, pictures) for row in rows]


def answer(model: Any, processor: Any, row: dict[str, Any], pictures: Path) -> dict[str, Any]:
    tokenizer = processor.tokenizer
    picture = [{"type": "image", "image": Image.open(pictures / row["image"])}] if "image" in row else []
    user = {"role": "user", "content": [*picture, {"type": "text", "text": row["question"]}]}
    assistant = {"role": "assistant", "content": [{"type": "text", "text": row["answer"]}]}
    asked = processor.apply_chat_template(
        [user], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    length = asked["input_ids"].shape[1]
    said = model.generate(**asked, do_sample=False, max_new_tokens=8)[0, length:]
    prompt, whole = (
        tokenizer(processor.apply_chat_template(turns, add_generation_prompt=prompted, tokenize=False)).input_ids
        for turns, prompted in (([user], True), ([user, assistant], False))
    )
    end = tokenizer.eos_token_id
    expected = whole[len(prompt) :]
    # LLaVA's template ends no turn and leaves a blank; ChatML ends it, and a line break follows.
    expected = (
        expected[: expected.index(end) + 1] if end in expected else [*tokenizer(" " + row["answer"]).input_ids, end]
    )
    for name in ("mm_token_type_ids", "token_type_ids"):
        if name in asked:
            asked[name] = torch.nn.functional.pad(asked[name], (0, len(expected)))
    asked["input_ids"] = torch.cat([asked["input_ids"], torch.tensor([expected])], dim=1)
    asked["attention_mask"] = torch.ones_like(asked["input_ids"])
    log_probs = model(**asked).logits[0, length - 1 : -1].log_softmax(-1)
    return {
        "said": tokenizer.decode(said, skip_special_tokens=True).strip(),
        "log_prob": float(log_probs.gather(-1, torch.tensor(expected).unsqueeze(-1)).sum()),
        "tokens": len(expected),
    }


if __name__ == "__main__":
    main()
