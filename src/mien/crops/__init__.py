"""Find, align and crop a face; the same for preparation and prediction."""
