"""What becomes gates: formats, configuration, processing elements, arrays, engines, emission."""
