"""Jets of particles, labelled with what made them: the data of the LHC jet benchmark's kind.

:class:`~.data.Jets` is what all sources give: the generator (:mod:`.generator`), the files of the
benchmark that a user has (:mod:`.openml`, :mod:`.hdf5`), and the small sample that ships
(:mod:`.sample`).
"""
