"""From counts or markers of many samples to one space of components: shared features, basis, batch correction.

Nothing is imported here: steps that only take the scale of a feature (``basis``) need no Harmony in their image.
"""
