module github.com/stocktake/stocktake/bench

go 1.26.0

replace github.com/stocktake/stocktake => ../

require github.com/stocktake/stocktake v0.0.0
