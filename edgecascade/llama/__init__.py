"""The native engine. The only room that imports llama_cpp, and only when a model is opened.

    native        the library itself: found, loaded, its log, its identity
    probe         does it survive one decode here? asked in a child process
    vocabulary    text <-> tokens, with what users type kept apart from control tokens
    chat_template messages -> text, by the model's own Jinja
    text          bytes of tokens -> whole characters, stop strings
    sampling      logits -> the chosen token
    engine        a model and its context: the generator of tokens
    baselines     the library's bare decode and its high-level path, for comparison only
"""
