"""Whether the engines that serve a checkpoint say what transformers says: vLLM, and llama.cpp by its GGUF."""
