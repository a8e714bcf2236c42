"""Images: a spec to a rendered recipe, a recipe to an image that is built once."""
