"""The native engine. The only room that imports llama_cpp, and only when a model is opened.

====================  ==============================================================================
native                the library itself: found, loaded, its log, its identity
probe                 does it survive one decode here? asked in a child process
settings              how the engine runs on this device
context               the native model and its memory; no policy
vocabulary            text <-> tokens, with what people typed kept apart from control tokens
chat_template         messages -> text, by the model's own Jinja
sampling              logits -> the chosen token
text                  bytes of tokens -> whole characters, stop strings
writing               one or several answers side by side, as a tree
engine                the generator of tokens
baselines             the library's bare decode and its high-level path, for comparison only
====================  ==============================================================================
"""
