"""Fields that other servers or other routes know: where one is refused here, the error says what to do instead."""

_SAMPLED = "a draft is sampled by temperature, top_p, seed and the two penalties alone"
_SHAPED = "ask for JSON by response_format, or text.format in responses"
_FORM = "the prompt's form is the gateway's own, since a draft, its verdicts and its revisions share it"
_TOKENS = "tokens of the draft would be untrue of a revision"
_ENGINES = "how the engine works is set by whoever runs it"

HINTS = {
    # vLLM's and llama.cpp's extra_body
    "top_k": _SAMPLED,
    "min_p": _SAMPLED,
    "repetition_penalty": _SAMPLED,
    "repeat_penalty": _SAMPLED,
    "length_penalty": _SAMPLED,
    "use_beam_search": _SAMPLED,
    "min_tokens": _SAMPLED,
    "ignore_eos": _SAMPLED,
    "stop_token_ids": "send stop as text",
    "bad_words": _SAMPLED,
    "allowed_token_ids": _SAMPLED,
    "thinking_token_budget": "say how long to think by reasoning_effort",
    "guided_json": _SHAPED,
    "guided_regex": _SHAPED,
    "guided_choice": _SHAPED,
    "guided_grammar": _SHAPED,
    "structured_outputs": _SHAPED,
    "grammar": _SHAPED,
    "json_schema": _SHAPED,
    "chat_template": _FORM,
    "chat_template_kwargs": f"{_FORM}; say how long to think by reasoning_effort",
    "add_generation_prompt": _FORM,
    "continue_final_message": _FORM,
    "documents": f"{_FORM}: put documents into a message",
    "skip_special_tokens": _FORM,
    "truncate_prompt_tokens": "a conversation that is too long loses its oldest turns, and the reply says so",
    "prompt_logprobs": _TOKENS,
    "return_token_ids": _TOKENS,
    "include_reasoning": "thoughts are not judged, so they do not leave",
    "cache_salt": "each tenant has a part of the prefix cache to itself already",
    "priority": _ENGINES,
    "id_slot": _ENGINES,
    "cache_prompt": _ENGINES,
    "kv_transfer_params": _ENGINES,
    "vllm_xargs": _ENGINES,
    # OpenAI's own, on another route
    "max_output_tokens": "POST /v1/responses calls it that; here it is max_tokens or max_completion_tokens",
}
