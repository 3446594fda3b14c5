"""How we know it is right: golden models, benches, compiled simulation, cycle models."""
