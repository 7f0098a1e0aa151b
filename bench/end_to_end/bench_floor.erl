%%% The floor, inside the server: bytes that are ready are written to each follower's socket, by the
%%% process that owns it. Nothing that delivers posts from outside that process can cost less.
%%%
%%% The author asks for it by an IQ, so that the way to the server is the same as for a post.
-module(bench_floor).

-include_lib("xmpp/include/xmpp.hrl").

-export([start/1, decode_iq_subel/1, process_iq/1, c2s_handle_info/2]).

-define(HOST, <<"localhost">>).

%% @doc Prepares the floor for followers who are logged in.
-spec start(Followers :: non_neg_integer()) -> ok.
start(Followers) ->
    Pids = [bench_inside:session(Number) || Number <- lists:seq(0, Followers - 1)],
    ok = ejabberd_hooks:add(c2s_handle_info, ?HOST, ?MODULE, c2s_handle_info, 10),
    ok = gen_iq_handler:add_iq_handler(ejabberd_local, ?HOST, <<"urn:bench:floor">>, ?MODULE, process_iq),
    true = register(?MODULE, spawn(fun() -> loop(Pids) end)),
    ok.

%% @doc The request as it is: ejabberd does not know its namespace.
-spec decode_iq_subel(xmlel()) -> xmlel().
decode_iq_subel(El) -> El.

%% @doc The author's request.
-spec process_iq(iq()) -> iq().
process_iq(#iq{sub_els = [El]} = IQ) ->
    Post = fxml:get_tag_attr_s(<<"post">>, El),
    ?MODULE ! {post, bench_peers:floor_message(Post)},
    xmpp:make_iq_result(IQ).

loop(Pids) ->
    receive
        {post, Bytes} -> lists:foreach(fun(Pid) -> Pid ! {?MODULE, Bytes} end, Pids)
    end,
    loop(Pids).

%% @doc Hook: runs in the follower's process.
-spec c2s_handle_info(ejabberd_c2s:state(), term()) ->
    ejabberd_c2s:state() | {stop, ejabberd_c2s:state()}.
c2s_handle_info(#{socket := Socket} = State, {?MODULE, Bytes}) ->
    _ = xmpp_socket:send(Socket, Bytes),
    {stop, State};
c2s_handle_info(State, _Info) ->
    State.
