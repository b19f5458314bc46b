"""Postage for parcels: bands by weight, surcharges by zone, discounts by number."""
