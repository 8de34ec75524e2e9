"""One picture after the other: decoded, fitted, augmented, put into batches."""
