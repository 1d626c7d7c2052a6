"""The search for better params of one architecture by the trials of a study.

`space` defines the search space, `strategies` samplers and pruners, `study` the storage; `search`
runs the trials, and `trial_table` has their results. `trainer` trains, `refit` trains the best
trial and the start in full, and `tuning` combines all; importing these three imports Keras.
"""
