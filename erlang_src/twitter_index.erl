%%% @doc The index of a pubsub host: who posted what and when, in memory, in the core. It is a cache
%%% of what is stored; a stream is loaded when it is first read.
-module(twitter_index).

-export([page/3, find/3, ids/2, put/4, remove/3, forget/2]).

%% @doc One page of the merged streams of `Authors'.
-spec page(Host :: binary(), Authors :: [twitter_nif:jid()], twitter_nif:request()) ->
          {ok, twitter_nif:page()} | {error, bad_cursor}.
page(Host, Authors, Request) ->
    ask(Host, fun(Index) -> twitter_nif:page(Index, Authors, Request) end).

%% @doc The posts of `Authors' that have this id, newest first.
-spec find(Host :: binary(), Authors :: [twitter_nif:jid()], Id :: binary()) ->
          [{Author :: twitter_nif:jid(), Id :: binary()}].
find(Host, Authors, Id) ->
    {ok, Found} = ask(Host, fun(Index) -> twitter_nif:find(Index, Authors, Id) end),
    Found.

%% @doc The ids of all posts of an author, oldest first.
-spec ids(Host :: binary(), Author :: twitter_nif:jid()) -> [binary()].
ids(Host, Author) ->
    {ok, {Posts, _, _, _, _}} = page(Host, [Author], {oldest_first, first_page, 16#ffffffff}),
    [Id || {_, Id} <- Posts].

%% @doc A post was stored.
-spec put(Host :: binary(), Author :: twitter_nif:jid(), Micros :: non_neg_integer(),
          Id :: binary()) -> ok.
put(Host, Author, Micros, Id) ->
    change(Host, fun(Index) -> twitter_nif:put(Index, Author, Micros, Id) end).

%% @doc Posts were deleted.
-spec remove(Host :: binary(), Author :: twitter_nif:jid(), Ids :: [binary()]) -> ok.
remove(_Host, _Author, []) ->
    ok;
remove(Host, Author, Ids) ->
    change(Host, fun(Index) -> twitter_nif:remove(Index, Author, Ids) end).

%% @doc An author's posts changed in some other way.
-spec forget(Host :: binary(), Author :: twitter_nif:jid()) -> ok.
forget(Host, Author) ->
    change(Host, fun(Index) -> twitter_nif:forget(Index, Author) end).

ask(Host, Ask) ->
    {ok, #{index := Index}} = twitter_service:find(Host),
    case Ask(Index) of
        {error, {not_loaded, Authors}} ->
            lists:foreach(fun(Author) -> load(Host, Index, Author) end, Authors),
            ask(Host, Ask);
        Answer ->
            Answer
    end.

%% Storage may change while the plugin is stopped; the next index starts empty anyway.
change(Host, Change) ->
    case twitter_service:find(Host) of
        {ok, #{index := Index}} -> Change(Index);
        error -> ok
    end.

load(Host, Index, Author) ->
    case twitter_nif:begin_load(Index, Author) of
        {error, loaded} ->
            ok;
        {ok, Version} ->
            Places = twitter_store:places(Host, Author),
            case twitter_nif:finish_load(Index, Author, Version, Places) of
                loaded -> ok;
                stale -> load(Host, Index, Author)
            end
    end.
