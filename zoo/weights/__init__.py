"""The files of the taggers (:mod:`..taggers`)."""
