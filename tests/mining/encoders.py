"""Tiny random models that tell how well words fit a picture, as checkpoints on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPVisionConfig,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    LlamaConfig,
    LlamaForCausalLM,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    SiglipTextConfig,
    SiglipVisionConfig,
    SwinConfig,
)

from tests import tiny

_SMALL: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that puts marks around a text, as that of CLIP does."""
    made = tiny.tokenizer(["<pad>", "<s>"], pad_token="<pad>", bos_token="<s>", model_max_length=24)
    made.add_special_tokens({"eos_token": "</s>"})  # the highest number, by which encoders find the end of a text
    marks = [("<s>", made.bos_token_id), ("</s>", made.eos_token_id)]
    made.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=marks)
    made.padding_side = "right"
    return made


def _texts(words: PreTrainedTokenizerFast, length: int = 24) -> dict[str, Any]:
    ids = {"pad_token_id": words.pad_token_id, "bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    return {**_SMALL, **ids, "vocab_size": len(words), "max_position_embeddings": length}


def clip(folder: Path, size: int = 32, seed: int = 0) -> Path:
    """A CLIP that sees squares of `size` pixels."""
    words = tokenizer()
    config = CLIPConfig(
        text_config=CLIPTextConfig(**_texts(words)).to_dict(),
        vision_config=CLIPVisionConfig(**_SMALL, image_size=size, patch_size=size // 2).to_dict(),
        projection_dim=16,
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    return _saved(CLIPModel, config, CLIPProcessor(pictures, words), folder, seed)


def siglip(folder: Path, seed: int = 0) -> Path:
    """A SigLIP that sees squares of 32 pixels."""
    words = tokenizer()
    config = SiglipConfig(
        text_config=SiglipTextConfig(**_texts(words), projection_size=32).to_dict(),
        vision_config=SiglipVisionConfig(**_SMALL, image_size=32, patch_size=16).to_dict(),
    )
    pictures = SiglipImageProcessor(size={"height": 32, "width": 32})
    return _saved(SiglipModel, config, SiglipProcessor(pictures, words), folder, seed)


def owl(folder: Path, seed: int = 0) -> Path:
    """An open-vocabulary detector."""
    words = tokenizer()
    config = Owlv2Config(
        text_config=_texts(words, 16),
        vision_config={**_SMALL, "image_size": 32, "patch_size": 16},
        projection_dim=32,
    )
    pictures = Owlv2ImageProcessor(size={"height": 32, "width": 32})
    return _saved(Owlv2ForObjectDetection, config, Owlv2Processor(pictures, words), folder, seed)


def grounding_dino(folder: Path, seed: int = 0) -> Path:
    """An open-vocabulary detector that reads phrases as one text."""
    known = {
        word: number
        for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", "cat", "dog", "wine", "glass"])
    }
    raw = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    raw.normalizer, raw.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.BertProcessing(("[SEP]", known["[SEP]"]), ("[CLS]", known["[CLS]"]))
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    words = PreTrainedTokenizerFast(tokenizer_object=raw, model_max_length=256, **marks)
    swin: type[Any] = SwinConfig  # takes the keys of backbones beside its own
    backbone = swin(
        image_size=32,
        patch_size=4,
        embed_dim=16,
        depths=[1, 1, 1],
        num_heads=[1, 2, 2],
        window_size=2,
        out_features=["stage2", "stage3"],
    )
    config = GroundingDinoConfig(
        backbone_config=backbone,
        text_config=BertConfig(vocab_size=len(words), **_SMALL, max_position_embeddings=256),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        num_queries=10,
        num_feature_levels=3,
    )
    pictures = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    return _saved(GroundingDinoForObjectDetection, config, GroundingDinoProcessor(pictures, words), folder, seed)


def llama(folder: Path, seed: int = 0) -> Path:
    """A language model that says nothing in particular."""
    words = tiny.tokenizer(["<pad>", "<s>", "</s>"], pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    config = LlamaConfig(**{**_texts(words), "max_position_embeddings": 4096})
    return _saved(LlamaForCausalLM, config, words, folder, seed)


def _saved(architecture: Any, config: Any, processor: Any, folder: Path, seed: int) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = architecture(config).float()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
