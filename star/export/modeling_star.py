"""The model of model.py for Hugging Face's transformers (5 or newer):

    model = AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)
    model.generate(tokens, max_new_tokens=20)

Sequences of a batch may end at different places, padded on the right; they begin at the same one.
"""
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from .model import Model


class StarConfig(PretrainedConfig):
    """What config.json says. The architecture is the code of model.py, and no number here changes it."""

    model_type = "star"
    keys_to_ignore_at_inference = ["cache"]


@dataclass
class StarOutput(ModelOutput):
    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None  # [B, L, V]
    cache: list | None = None  # of Model.step


class StarForCausalLM(PreTrainedModel, GenerationMixin, Model):
    config_class = StarConfig
    _is_stateful = True  # states of recurrences cannot go back, as assisted generation would have it
    _no_split_modules = ["Block"]

    def __init__(self, config):
        super().__init__(config)
        self.post_init()

    def get_input_embeddings(self):
        return self.embed

    def get_output_embeddings(self):
        return None  # the output is the embedding itself, not a layer of its own

    def forward(self, input_ids, attention_mask=None, labels=None, cache=None, use_cache=None, return_dict=True,
                **unused):
        if attention_mask is not None and (attention_mask[:, 1:] > attention_mask[:, :-1]).any():
            raise ValueError("star: padding on the left would be read as text; pad on the right")
        if use_cache is None:
            use_cache = not self.training and labels is None
        if use_cache or cache is not None:
            logits, cache = self.step(input_ids, cache)
        else:
            logits = self.logits(input_ids)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        output = StarOutput(loss=loss, logits=logits, cache=cache)
        return output if return_dict else output.to_tuple()

    def prepare_inputs_for_generation(self, input_ids, cache=None, attention_mask=None, use_cache=True, **unused):
        seen = cache[0]["position"] if cache else 0
        return {"input_ids": input_ids[:, seen:], "cache": cache, "use_cache": use_cache,
                "attention_mask": attention_mask}

    def _prepare_cache_for_generation(self, *unused, **also_unused):
        """Model.step makes the cache."""

    def _update_model_kwargs_for_generation(self, outputs, model_kwargs, *rest, **more):
        model_kwargs = super()._update_model_kwargs_for_generation(outputs, model_kwargs, *rest, **more)
        if outputs.cache is not None:
            model_kwargs["cache"] = outputs.cache
        return model_kwargs

    def _reorder_cache(self, cache, rows):
        return Model.reorder(cache, rows)
