"""How exposed the work is: levels, the exposure index, and what it hangs on."""
