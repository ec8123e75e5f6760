"""The workshop: slice, label, build a data set, fine-tune, evaluate; a module for each."""
