"""Networks: a backbone that turns pictures into features, a head that turns features into logits, and their weights."""
