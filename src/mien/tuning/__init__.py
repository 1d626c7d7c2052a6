"""The search for better params of one architecture: short trials of a study, judged alike.

`space` says what may change, `strategies` who proposes and who prunes, `study` where trials are
kept, `search` runs them, and `report` tells what came of them. `bench` trains, and `finals` sets
the best trial against the start; importing these two imports Keras.
"""
