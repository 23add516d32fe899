"""OData 4.01: its addresses, expressions, documents and batches, over the operations of the catalog."""
