"""Find, align and cut a face; the same for preparation and prediction."""
