"""This device, measured: its own profile.

=========  ==============================================================================
timing     one answer, timed: what every figure comes from
trial      one answer in a child process, with other settings
rig        what is measured and through what; the time of a step
choosing   steps that try settings, each in a child
speeds     steps that measure the model as it answers
steps      all of them, in order, with their share of the time
running    the steps one after another, in time and undisturbed
journal    what is done already
outcome    what was found, as a profile
device     the real machine: clocks, sensors, files
=========  ==============================================================================
"""
