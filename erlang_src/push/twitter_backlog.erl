%%% @doc What the fan-out of a vhost still has to send, in a table that outlives its workers: a post is there
%%% from the moment it was stored until it was sent to all. A worker that is started after one that was
%%% killed finds there what that one had not done, and how far it had come.
-module(twitter_backlog).

-export([new/1, name/1, exists/1, put/3, next/3, begun/3, waits/2, delete/2, take/3, authors/2,
         complete_until/1, on_way/1]).
-export([in_hand/3, out_of_hand/2, was_in_hand/2]).
-export_type([table/0, key/0]).

%% So many posts that wait are looked at for one who leaves.
-define(MAX_ON_WAY, 1000).

-type table() :: atom().
-type worker() :: pos_integer().
%% An author's posts are in the order in which they were stored.
-opaque key() :: {worker(), twitter_nif:jid(), pos_integer()}.

%% @doc An empty table, which lives as long as the calling process.
-spec new(ServerHost :: binary()) -> ok.
new(ServerHost) ->
    Table = name(ServerHost),
    Table = ets:new(Table, [named_table, public, ordered_set, {write_concurrency, true}]),
    ok.

%% @doc The table of a vhost.
-spec name(ServerHost :: binary()) -> table().
name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% @doc Whether it is there: not after its owner.
-spec exists(table()) -> boolean().
exists(Table) ->
    ets:whereis(Table) =/= undefined.

%% @doc A post of an author waits for a worker from now on; an error if nobody sends any posts.
-spec put(table(), worker(), twitter_fanout:post()) -> ok | error.
put(Table, Worker, #{author := Author, began := Began, at := At, stored := Stored} = Post) ->
    Key = {Worker, Author, erlang:unique_integer([monotonic, positive])},
    try ets:insert(Table, [{Key, Post, none}, {{began, Began, Key}, {At, Stored}}]) of
        true -> ok
    catch
        error:badarg -> error
    end.

%% @doc The author's oldest post, and the note of its recipients if that has been made.
-spec next(table(), worker(), twitter_nif:jid()) ->
          {key(), twitter_fanout:post(), twitter_nif:fanout() | none} | none.
next(Table, Worker, Author) ->
    case ets:next(Table, {Worker, Author, 0}) of
        {Worker, Author, _} = Key ->
            case ets:lookup(Table, Key) of
                [Found] -> Found;
                %% Taken in between.
                [] -> next(Table, Worker, Author)
            end;
        _ ->
            none
    end.

%% @doc These are the recipients of a post.
-spec begun(table(), key(), twitter_nif:fanout()) -> ok.
begun(Table, Key, Fanout) ->
    _ = ets:update_element(Table, Key, {3, Fanout}),
    ok.

%% @doc Whether a post still waits, or somebody has taken it.
-spec waits(table(), key()) -> boolean().
waits(Table, Key) ->
    ets:member(Table, Key).

%% @doc A post waits no longer; whether it did.
-spec delete(table(), key()) -> boolean().
delete(Table, Key) ->
    case ets:take(Table, Key) of
        [{_, #{began := Began}, _}] -> ets:delete(Table, {began, Began, Key});
        [] -> false
    end.

%% @doc None of an author's posts waits any longer; returns those that did.
-spec take(table(), worker(), twitter_nif:jid()) -> [twitter_fanout:post()].
take(Table, Worker, Author) ->
    try next(Table, Worker, Author) of
        {Key, Post, _Noted} ->
            case delete(Table, Key) of
                true -> [Post | take(Table, Worker, Author)];
                false -> take(Table, Worker, Author)
            end;
        none ->
            []
    catch
        %% Nobody sends anything.
        error:badarg -> []
    end.

%% @doc All authors whose posts wait for this worker.
-spec authors(table(), worker()) -> [twitter_nif:jid()].
authors(Table, Worker) ->
    authors(Table, Worker, ets:next(Table, {Worker, <<>>, 0})).

authors(Table, Worker, {Worker, Author, _}) ->
    %% An atom comes after all numbers.
    [Author | authors(Table, Worker, ets:next(Table, {Worker, Author, last}))];
authors(_Table, _Worker, _) ->
    [].

%% @doc All that was published on this node before that moment was sent to whoever was to get it: in
%% microseconds since 1970, an atom if there is nothing that was not.
-spec complete_until(ServerHost :: binary()) -> non_neg_integer() | none.
complete_until(ServerHost) ->
    try
        %% What a writer has stored it puts here before it ends.
        Written = twitter_writer:oldest(ServerHost),
        min(Written, oldest(name(ServerHost)))
    catch
        %% Nobody publishes anything.
        error:badarg -> none
    end.

%% @doc When the posts were published that are on their way to anybody, and before when each was stored; and since
%% when there may be others. Of very many only the oldest are looked at.
-spec on_way(ServerHost :: binary()) ->
          {OnWay :: [{At :: non_neg_integer(), Stored :: non_neg_integer()}], OthersSince :: non_neg_integer()}.
on_way(ServerHost) ->
    Now = twitter_unread:moment(),
    try
        %% In this order, as above.
        Written = twitter_writer:oldest(ServerHost),
        {OnWay, Others} = on_way(name(ServerHost), {began, 0, 0}, ?MAX_ON_WAY),
        {OnWay, lists:min([Now, Written, Others])}
    catch
        error:badarg -> {[], Now}
    end.

on_way(Table, Before, Left) ->
    case ets:next(Table, Before) of
        {began, Began, _} when Left =:= 0 ->
            {[], Began};
        {began, _, _} = Key ->
            {OnWay, Others} = on_way(Table, Key, Left - 1),
            {[Times || {_, {At, _} = Times} <- ets:lookup(Table, Key), At =/= none] ++ OnWay, Others};
        _ ->
            {[], none}
    end.

%% A number is less than an atom, and so is a key of a worker than these.
oldest(Table) ->
    case ets:next(Table, {began, 0, 0}) of
        {began, Began, _Key} -> Began;
        _ -> none
    end.

%% @doc The worker does something for this post: if it is killed meanwhile, that may be why.
-spec in_hand(table(), worker(), key()) -> ok.
in_hand(Table, Worker, Key) ->
    Times = case ets:lookup(Table, {Worker, in_hand}) of
                [{_, Key, Before}] -> Before + 1;
                _ -> 1
            end,
    %% A key of two elements: no post has such.
    true = ets:insert(Table, {{Worker, in_hand}, Key, Times}),
    ok.

%% @doc The worker has done it.
-spec out_of_hand(table(), worker()) -> ok.
out_of_hand(Table, Worker) ->
    true = ets:delete(Table, {Worker, in_hand}),
    ok.

%% @doc The post for which something was begun and not done, and how many times in a row.
-spec was_in_hand(table(), worker()) -> {key(), twitter_fanout:post(), Times :: pos_integer()} | none.
was_in_hand(Table, Worker) ->
    case ets:lookup(Table, {Worker, in_hand}) of
        [{_, Key, Times}] ->
            case ets:lookup(Table, Key) of
                [{Key, Post, _}] -> {Key, Post, Times};
                [] -> none
            end;
        [] ->
            none
    end.
