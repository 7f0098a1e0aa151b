%%% What a reader finds at a place, which must not refuse it: a request and its answer in one.
-module(twitter_reading).

-export([rows/2, ids/2, ids/3, posts/2, posts/3, payloads/2, payloads/3, entries/2]).
-export([page/3, pages/3, pages/4, stream/2, stream/3]).

-type place() :: twitter_requests:place().
-type walk() :: {forward | backward, Max :: pos_integer()}.

-spec rows(place(), Node :: binary()) -> [{Node :: binary(), Name :: binary()}].
rows(Place, Node) ->
    twitter_answers:rows(twitter_requests:rows(Place, Node)).

-spec ids(place(), Node :: binary()) -> [binary()].
ids(Place, Node) ->
    ids(Place, Node, #{}).

-spec ids(place(), Node :: binary(), twitter_requests:options()) -> [binary()].
ids(Place, Node, Options) ->
    twitter_answers:ids(twitter_requests:items(Place, Node, Options)).

-spec posts(place(), Node :: binary()) -> [twitter_answers:post()].
posts(Place, Node) ->
    posts(Place, Node, #{}).

-spec posts(place(), Node :: binary(), twitter_requests:options()) -> [twitter_answers:post()].
posts(Place, Node, Options) ->
    twitter_answers:posts(twitter_requests:items(Place, Node, Options)).

-spec payloads(place(), Node :: binary()) -> [[fxml:xmlel() | fxml:cdata()]].
payloads(Place, Node) ->
    payloads(Place, Node, #{}).

-spec payloads(place(), Node :: binary(), twitter_requests:options()) ->
    [[fxml:xmlel() | fxml:cdata()]].
payloads(Place, Node, Options) ->
    twitter_answers:payloads(twitter_requests:items(Place, Node, Options)).

-spec entries(place(), Node :: binary()) -> [twitter_answers:entry()].
entries(Place, Node) ->
    twitter_answers:entries(twitter_requests:items(Place, Node)).

%%% Pages

%% @doc One page, and what it says of itself.
-spec page(place(), Node :: binary(), twitter_requests:rsm()) ->
    {[twitter_answers:post()], twitter_answers:page()}.
page(Place, Node, Rsm) ->
    Answer = twitter_requests:items(Place, Node, #{rsm => Rsm}),
    {twitter_answers:posts(Answer), twitter_answers:page(Answer)}.

%% @doc All pages of a stream of at most `Max' posts each, up to the empty one after
%% the last; backward begins with the newest. Each page is oldest first.
-spec pages(place(), Node :: binary(), walk()) -> [Page :: [twitter_answers:post()]].
pages(Place, Node, Walk) ->
    pages(Place, Node, Walk, fun(_) -> ok end).

%% @doc The same; `Between' is called with the number of each page, from 1, before the next
%% one is asked for.
-spec pages(place(), Node :: binary(), walk(), Between :: fun((Number :: pos_integer()) -> term())) ->
    [Page :: [twitter_answers:post()]].
pages(Place, Node, Walk, Between) ->
    walk(Place, Node, Walk, fun twitter_answers:posts/1, Between).

%% @doc The whole stream, oldest first: the union of its pages.
-spec stream(place(), Node :: binary()) -> [twitter_answers:entry()].
stream(Place, Node) ->
    stream(Place, Node, 100).

-spec stream(place(), Node :: binary(), Max :: pos_integer()) -> [twitter_answers:entry()].
stream(Place, Node, Max) ->
    Read = fun twitter_answers:entries/1,
    lists:append(walk(Place, Node, {forward, Max}, Read, fun(_) -> ok end)).

walk(Place, Node, {forward, Max}, Read, Between) ->
    walk(Place, Node, #{max => Max}, {'after', last}, Read, Between, 1);
walk(Place, Node, {backward, Max}, Read, Between) ->
    walk(Place, Node, #{max => Max, before => <<>>}, {before, first}, Read, Between, 1).

walk(Place, Node, #{max := Max} = Rsm, {Side, End} = Step, Read, Between, Number) ->
    Answer = twitter_requests:items(Place, Node, #{rsm => Rsm}),
    case Read(Answer) of
        [] ->
            [];
        Page when length(Page) =< Max ->
            _ = Between(Number),
            Next = #{max => Max, Side => maps:get(End, twitter_answers:page(Answer))},
            [Page | walk(Place, Node, Next, Step, Read, Between, Number + 1)]
    end.
