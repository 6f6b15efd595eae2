"""``edgecascade bench``: what this device does, measured here and now, in suites.

decode     our decode against llama.cpp's own tools         energy     joules a token, where a meter is
answer     real questions, with the cascade off and on      sustained  minutes on end: what heat leaves of the speed
prefix     the turns of a chat, reused and read anew        memory     from before loading to the peak while answering
samples    several answers in one batch

Every suite ends with what the cascade itself costs and with work that is none of ours, which tells how fast the machine
itself was; and it knows whether others used the machine meanwhile.
"""
