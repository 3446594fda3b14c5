"""Networks to try: data of particle jets, the training of taggers on them, and what came out.

Uses nothing of the hardware's description: files in, files out.
"""
