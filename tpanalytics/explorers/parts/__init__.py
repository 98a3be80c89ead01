"""The widgets an explorer is put together of."""
