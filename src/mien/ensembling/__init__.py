"""What several models say together: combinations, their honest scores, the choice of members."""
