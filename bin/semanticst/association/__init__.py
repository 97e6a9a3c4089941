"""Association of niches with a clinical outcome; the unit is the patient.

Nothing is imported here: many steps take a small part of this package (who is compared, sentences, colours of groups),
and models, tables and figures of all tests together are 1.5 s of CPU time. Ways in, which `niche_associate.py` goes:
``features.composition.parse_features``, ``associate.associate``, ``output.write.write_association``.
"""
