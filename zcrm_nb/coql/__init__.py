"""COQL, the query language of Zoho CRM: pure text in, trees and text out."""
