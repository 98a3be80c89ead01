"""Which figures are withheld, because too few jobs or people stand behind them, and what else must be for their sake."""
