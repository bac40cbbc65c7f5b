"""Unlearning methods, one file each. A new one is one new file and one line in `registry.BUILT_IN`."""

from unsee.methods.card import MethodCard as MethodCard
from unsee.methods.card import card_of as card_of
from unsee.methods.method import Method as Method
from unsee.methods.method import Needs as Needs
from unsee.methods.method import Reference as Reference
from unsee.methods.method import Term as Term
from unsee.methods.method import UnlearnBatch as UnlearnBatch
from unsee.methods.registry import METHODS as METHODS
from unsee.methods.registry import HyperParameter as HyperParameter
from unsee.methods.registry import build as build
from unsee.methods.registry import find as find
from unsee.methods.registry import hyper_parameters as hyper_parameters
