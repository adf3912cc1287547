//! What it means: health score and path findings with hysteresis
