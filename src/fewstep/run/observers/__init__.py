"""What goes along with a training without changing it: measures, saves, bars, clocks."""
