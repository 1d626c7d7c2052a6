"""The search for better params of one architecture: short trials of a study, judged alike.

`space` says what may change, `strategies` who proposes and who prunes, `study` where trials are
kept, `search` runs them, and `trial_table` tells what came of them. `trainer` trains, `refit`
trains the best trial and the start in full, and `tuning` puts all together; importing these three
imports Keras.
"""
