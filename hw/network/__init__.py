"""Networks of constant weights, unrolled: one sample per cycle through a pipeline of adders."""
