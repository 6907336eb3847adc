"""An experiment's report."""

from fastapi import APIRouter

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["report"])
