"""Pictures of objects, their captions, and models that describe them."""
